from ..loading import extended

CheckoutView = extended("views.checkout", "CheckoutView")
